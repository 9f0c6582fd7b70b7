"""Distiller: trains a student by the targets and by a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

from seqonnx import losses, metrics, nested, ops
from seqonnx.distillation.losses import mapped
from seqonnx.export.keras_objects import serialize_keras_object
from seqonnx.models import Model
from seqonnx.models.keras_objects import deserialize_keras_object
from seqonnx.registration import register_keras_serializable

_OUTPUT: Final = "final_output"
"""Name of the output of a model among its features."""


@register_keras_serializable("seqonnx.distillation", "Distiller")
class Distiller(Model):
    """A student with a teacher: training changes the student, and calling it calls the student.

    The loss is `student_loss_weight` times that of `compile`, plus the rest of 1 times the sum of
    the distillation losses. Train the teacher before; it is frozen here. Take `distiller.student`
    afterwards.

    Args:
        teacher: a trained model.
        student: a model of the same inputs and outputs.
        distillation_losses: a `DistillationLoss`, or a list of them.
        distillation_loss_weights: factors of the losses in a list; default 1.
        student_loss_weight: from 0, only the teacher counts, to 1, only the targets do.
        name: name of the model.
        **kwargs: see `Model`.

    Raises:
        ValueError: if the models do not fit each other, or an argument is not legal.

    Example:
        >>> from seqonnx import Input, Sequential, layers
        >>> teacher = Sequential([Input((4,)), layers.Dense(8, "relu"), layers.Dense(3)])
        >>> student = Sequential([Input((4,)), layers.Dense(3)])
        >>> distiller = Distiller(teacher, student, LogitsDistillation(temperature=3.0))
        >>> distiller.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = distiller.fit(np.ones((8, 4)), np.zeros(8, int), verbose=0)
        >>> sorted(history.history)
        ['distillation_loss', 'loss', 'student_loss', 'total_loss']
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        distillation_losses: Any,
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        self.teacher, self.student = teacher, student
        self.student_loss_weight = _checked_weight(student_loss_weight)
        if distillation_losses is None:
            raise ValueError(
                "'distillation_losses' cannot be `None`. Provide a distillation loss (e.g., "
                "LogitsDistillation or FeatureDistillation) or a list of distillation losses."
            )
        listed = isinstance(distillation_losses, list | tuple)
        self.distillation_losses = list(distillation_losses) if listed else [distillation_losses]
        given = distillation_loss_weights if listed else None
        self.distillation_loss_weights = [1.0] * len(self.distillation_losses)
        if given is not None:
            if len(given) != len(self.distillation_losses):
                raise ValueError(
                    f"Number of distillation_loss_weights ({len(given)}) must match number of "
                    f"distillation_losses ({len(self.distillation_losses)})"
                )
            self.distillation_loss_weights = list(given)
        for each in self.distillation_losses:
            each.validate_model_compatibility(teacher, student)
        self._teacher_features = self._features_of(teacher, "teacher_layer_name")
        self._student_features = self._features_of(student, "student_layer_name")
        teacher.trainable = False
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    def _features_of(self, model: Any, argument: str) -> Any:
        """A model that gives what the losses ask for; None where they ask for the output."""
        names = [getattr(each, argument, None) for each in self.distillation_losses]
        wanted = list(dict.fromkeys(name for name in names if name is not None))
        if len(wanted) == 0:
            return None
        made = {name: model.get_layer(name=name).output for name in wanted}
        return Model(model.inputs, {_OUTPUT: model.output, **made})

    def compile(
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Say how to train the student; see `Model.compile`.

        Args:
            optimizer: changes the student's weights.
            loss: loss of the student's outputs; a structure of them for several.
            metrics: list of metrics.
            **kwargs: further arguments of `Model.compile`.

        Raises:
            ValueError: if there is no loss, or metrics are no list.
        """
        if loss is None:
            raise ValueError("'loss' cannot be `None`.")
        if metrics is not None and not isinstance(metrics, list | tuple):
            raise ValueError(f"metrics must be a list or tuple, got {type(metrics)}")
        self._student_loss = mapped(lambda x: losses.get(x) if isinstance(x, str) else x, loss)
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)

    def call(  # type: ignore[override]  # Keras's spelling of `call`, which is traced
        self, inputs: Any, training: bool | None = None
    ) -> Any:
        """Return the student's predictions."""
        return self.student(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the sum of the student's loss and of the distillation losses, weighted.

        Args:
            x: inputs.
            y: targets.
            y_pred: predictions of the student; default: computed from the inputs.
            sample_weight: of no effect, as in Keras.
            training: whether the student trains.
        """
        if y_pred is None:
            y_pred = self(x, training=training)
        share = self.student_loss_weight
        zero = ops.convert_to_tensor(0.0)
        supervised = zero if share == 0.0 or y is None else self._supervised(y, y_pred)
        distilled = zero if share == 1.0 else self._distilled(x, y_pred)
        total = share * supervised + (1.0 - share) * distilled
        self.student_loss_tracker.update_state(supervised)
        self.distillation_loss_tracker.update_state(distilled)
        self.total_loss_tracker.update_state(total)
        return total

    def _supervised(self, y: Any, y_pred: Any) -> Any:
        """The loss of the targets."""
        values = nested.flatten(mapped(lambda loss, *z: loss(*z), self._student_loss, y, y_pred))
        total = values[0]
        for value in values[1:]:
            total = total + value
        return ops.mean(total)

    def _distilled(self, x: Any, y_pred: Any) -> Any:
        """The sum of the distillation losses."""
        teacher, student = self._teacher_features, self._student_features
        taught = teacher(x, training=False) if teacher else self.teacher(x, training=False)
        taught = taught if teacher else {_OUTPUT: taught}
        learnt = student(x, training=True) if student else {}
        learnt = {**learnt, _OUTPUT: y_pred}
        total: Any = 0.0
        for each, weight in zip(
            self.distillation_losses, self.distillation_loss_weights, strict=True
        ):
            pair = (
                taught[getattr(each, "teacher_layer_name", None) or _OUTPUT],
                learnt[getattr(each, "student_layer_name", None) or _OUTPUT],
            )
            each.validate_outputs(*pair)
            value = each.compute_loss(*pair)
            if len(value.shape) > 0:
                raise ValueError(
                    f"Distillation loss {type(each).__name__} returned a non-scalar loss with "
                    f"shape {value.shape}. The compute_loss method must return a scalar tensor."
                )
            total = total + weight * value
        return total

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values."""
        return {
            "name": self.name,
            "teacher": serialize_keras_object(self.teacher),
            "student": serialize_keras_object(self.student),
            "distillation_losses": [serialize_keras_object(x) for x in self.distillation_losses],
            "distillation_loss_weights": self.distillation_loss_weights,
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make a distiller from the configuration returned by `get_config`.

        Args:
            config: the constructor's arguments.
            custom_objects: classes and functions of one's own, by name.
        """
        parts = ("teacher", "student", "distillation_losses")
        made = {key: deserialize_keras_object(config[key], custom_objects) for key in parts}
        return cls(**{**config, **made})


def _checked_weight(weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"student_loss_weight must be a number, got {type(weight)}")
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"student_loss_weight must be between 0.0 and 1.0, got {weight}")
    return weight


def _check_models(teacher: Any, student: Any) -> None:
    """Raise a ValueError unless both are models of the same inputs and outputs."""
    for role, model in (("Teacher", teacher), ("Student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"{role} must be a keras.Model, got {type(model)}")
    if teacher._inputs is None or student._inputs is None:
        return
    for what in ("input", "output"):
        pairs = (getattr(teacher, f"{what}s"), getattr(student, f"{what}s"))
        if len(pairs[0]) != len(pairs[1]):
            raise ValueError(
                f"Teacher and student have {len(pairs[0])} and {len(pairs[1])} {what}s. They must "
                "have the same."
            )
        for one, other in zip(*pairs, strict=True):
            _check_tensors(one, other, what)


def _check_tensors(teacher: Any, student: Any, what: str) -> None:
    if len(teacher.shape) != len(student.shape):
        raise ValueError(
            f"Teacher and student {what} shapes have different dimensions. Teacher: "
            f"{teacher.shape}, Student: {student.shape}."
        )
    sizes = zip(teacher.shape, student.shape, strict=True)
    if any(None not in pair and pair[0] != pair[1] for pair in sizes):
        raise ValueError(
            f"Teacher and student {what} shapes are incompatible. Teacher: {teacher.shape}, "
            f"Student: {student.shape}. All dimensions must match."
        )
    if teacher.dtype != student.dtype:
        raise ValueError(
            f"Teacher and student {what} dtypes must match. Teacher: {teacher.dtype}, Student: "
            f"{student.dtype}."
        )
