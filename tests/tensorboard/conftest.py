"""Reads a log directory with TensorBoard's own code: the handlers behind its HPARAMS tab."""

from dataclasses import dataclass, field

import pytest

ALL_STATUSES = (0, 1, 2, 3)


@dataclass
class Row:
    """A trial as the dashboard shows it."""

    values: dict
    metrics: dict
    status: str
    state: str | None = None
    runs: list = field(default_factory=list)


class Dashboard:
    """A directory as a TensorBoard shows it that is started now."""

    def __init__(self, log_dir):
        from tensorboard.backend.event_processing import (
            data_provider,
            plugin_event_multiplexer,
        )
        from tensorboard.plugins import base_plugin
        from tensorboard.plugins.hparams import backend_context

        self._multiplexer = plugin_event_multiplexer.EventMultiplexer()
        self._multiplexer.AddRunsFromDirectory(str(log_dir))
        self._multiplexer.Reload()
        provider = data_provider.MultiplexerDataProvider(self._multiplexer, str(log_dir))
        context = base_plugin.TBContext(data_provider=provider)
        self._backend = backend_context.Context(context)

    @property
    def runs(self):
        return sorted(self._multiplexer.Runs())

    @property
    def experiment(self):
        from tensorboard.context import RequestContext
        from tensorboard.plugins.hparams import api_pb2, get_experiment

        request = api_pb2.GetExperimentRequest()
        return get_experiment.Handler(RequestContext(), self._backend, "", request).run()

    @property
    def columns(self):
        """Return the columns of hyperparameters, without that of the states."""
        infos = self.experiment.hparam_infos
        return {info.name: info for info in infos if info.name != "state"}

    @property
    def metrics(self):
        return [info.display_name for info in self.experiment.metric_infos]

    def domain(self, name):
        """Return the listed values, or (lowest, highest)."""
        info = next(info for info in self.experiment.hparam_infos if info.name == name)
        if info.HasField("domain_interval"):
            return (info.domain_interval.min_value, info.domain_interval.max_value)
        return [_python(value) for value in info.domain_discrete.values]

    def trials(self, sort_by=()):
        """Return the rows by trial, in the order in which the table shows them.

        A row of a project with the default name is called by its trial alone.
        """
        from tensorboard.context import RequestContext
        from tensorboard.plugins.hparams import api_pb2, list_session_groups

        request = api_pb2.ListSessionGroupsRequest(
            start_index=0,
            slice_size=1000,
            allowed_statuses=ALL_STATUSES,
            col_params=[api_pb2.ColParams(hparam=n, order=api_pb2.ORDER_ASC) for n in sort_by],
        )
        response = list_session_groups.Handler(RequestContext(), self._backend, "", request).run()
        names = {info.name.tag: info.display_name for info in self.experiment.metric_infos}
        return {
            group.name.removeprefix("untitled_project/"): Row(
                values={n: _python(v) for n, v in group.hparams.items() if n != "state"},
                state=_python(group.hparams["state"]) if "state" in group.hparams else None,
                metrics={names[m.name.tag]: m.value for m in group.metric_values},
                status=api_pb2.Status.Name(group.sessions[0].status).removeprefix("STATUS_"),
                runs=[session.name for session in group.sessions],
            )
            for group in response.session_groups
        }

    def curve(self, run, tag):
        """Return the points (step, value) of a curve, as the event reader has them."""
        from tensorboard.util import tensor_util

        points = self._multiplexer.Tensors(run, tag)
        return [(p.step, float(tensor_util.make_ndarray(p.tensor_proto))) for p in points]

    def tags(self, run):
        """Return the names of the curves and texts of a run."""
        tags = self._multiplexer.Runs()[run]["tensors"]
        return sorted(tag for tag in tags if "/" in tag and not tag.startswith("_hparams_"))

    def text(self, run, tag):
        """Return the last text that was written under a tag."""
        from tensorboard.util import tensor_util

        point = self._multiplexer.Tensors(run, tag)[-1]
        return tensor_util.make_ndarray(point.tensor_proto).item().decode()


def _python(value):
    return getattr(value, value.WhichOneof("kind"))


@pytest.fixture
def log_dir(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def look(log_dir):
    """Open the log directory as it is at the moment of the call."""
    return lambda: Dashboard(log_dir)
