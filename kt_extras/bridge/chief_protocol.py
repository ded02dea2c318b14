"""The gRPC messages of KerasTuner's chief and workers."""

from __future__ import annotations

from typing import Any

from keras_tuner.src import protos


def messages() -> Any:
    """Return the module of requests and responses, such as `CreateTrialRequest`."""
    return protos.get_service()


def stub_of(channel: Any) -> Any:
    """Return what makes the calls of a worker.

    Args:
        channel: A `grpc.Channel` to the chief.
    """
    return protos.get_service_grpc().OracleStub(channel)


def add_calls(calls: Any, server: Any) -> None:
    """Let a server answer the calls of workers.

    Args:
        calls: An object with a method for each call, such as `CreateTrial`.
        server: A `grpc.Server`.
    """
    protos.get_service_grpc().add_OracleServicer_to_server(calls, server)
