"""The records of a small search, as an oracle writes them."""

PROJECT = {"kind": "project", "format": 1, "objective": "cost (min)", "seed": 7, "t": 0.0}


def create(trial, t=1.0, **values):
    return {"kind": "create", "trial": trial, "values": values, "t": t}


def report(trial, step, **metrics):
    return {"kind": "report", "trial": trial, "step": step, "metrics": metrics, "t": 1.5}


def end(trial, score, *, t=2.0, state="completed", message=None, results=(), **values):
    return {
        "kind": "end",
        "trial": trial,
        "state": state,
        "status": "COMPLETED" if score is not None else "FAILED",
        "score": score,
        "best_step": 0,
        "values": values,
        "message": message,
        "results": dict(results),
        "t": t,
    }


def search(trials=2, epochs=2):
    """Return the records of a whole search."""
    records = [PROJECT]
    for number in range(trials):
        trial = f"{number:04d}"
        records.append(create(trial, units=number))
        records += [report(trial, step, cost=1.0 / (step + number + 1)) for step in range(epochs)]
        records.append(end(trial, 1.0 / (epochs + number), units=number))
    return records
