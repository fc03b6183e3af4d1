"""MLflow: writes what each epoch measured into MLflow's store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_edu.train.callbacks.callback import Callback, Logs
from tinygrad_edu.train.files import StrPath

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class MLflow(Callback):
    """Logs what each epoch measured, as metrics of an MLflow run.

    experiment: the name of the experiment, which is made if it is not there.
    folder: the folder of a file store.
    store: the address of a server, such as "http://localhost:5000", instead of a folder.
    parameters: settings of the run, by name.
    run: the name of the run.

    Raises ValueError unless one of folder and store is given; ImportError, with what to type, when training begins
    without mlflow or mlflow-skinny.

    >>> MLflow("digits", folder="out/mlruns").experiment
    'digits'
    """

    def __init__(
        self,
        experiment: str,
        *,
        folder: StrPath | None = None,
        store: str | None = None,
        parameters: dict[str, Any] | None = None,
        run: str | None = None,
    ) -> None:
        if (folder is None) == (store is None):
            raise ValueError("MLflow writes into a folder= or to a server, store=: give one of them")
        self.experiment, self.folder, self.store = experiment, folder, store
        self.parameters, self.name = parameters or {}, run
        self._client: Any = None
        self.run_id: str | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Begin a run."""
        self._client = self._connected()
        found = self._client.get_experiment_by_name(self.experiment)
        number = self._client.create_experiment(self.experiment) if found is None else found.experiment_id
        self.run_id = self._client.create_run(number, run_name=self.name).info.run_id
        for name, value in self.parameters.items():
            self._client.log_param(self.run_id, name, value)

    def _connected(self) -> Any:
        import os
        from pathlib import Path

        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise ImportError("MLflow logs to its store: pip install mlflow-skinny") from error
        if self.folder is None:
            return MlflowClient(self.store)
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # newer versions refuse file stores without it
        return MlflowClient(Path(self.folder).absolute().as_uri())

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Log all numbers of an epoch."""
        for name, value in logs.items():
            if isinstance(value, int | float) and name != "epoch":
                self._client.log_metric(self.run_id, name, value, step=logs["epoch"])

    def on_fit_end(self, trainer: Trainer) -> None:
        """Mark the run as complete."""
        self._client.set_terminated(self.run_id)
        self._client = None

    def close(self, trainer: Trainer) -> None:
        """Mark a run that is not complete by now as broken off."""
        if self._client is not None and self.run_id is not None:
            self._client.set_terminated(self.run_id, "KILLED")
            self._client = None
