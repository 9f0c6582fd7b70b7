"""Losses between the outputs, or features, of a teacher and those of a student."""

from __future__ import annotations

from typing import Any, Self

from seqonnx import losses, nested, ops
from seqonnx.registration import register_keras_serializable


class DistillationLoss:
    """Base of losses between a teacher's outputs and a student's; also the way to write one's own.

    A subclass defines `compute_loss`, with the functions of `seqonnx.ops`.

    Example:
        >>> class Absolute(DistillationLoss):
        ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        ...         return ops.mean(ops.abs(teacher_outputs - student_outputs))
        >>> float(Absolute().compute_loss(np.array([1.0]), np.array([3.0])))
        2.0
    """

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the loss, a scalar.

        Args:
            teacher_outputs: outputs of the teacher, one or a structure of them.
            student_outputs: outputs of the student in the same structure.
            **kwargs: for subclasses.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `compute_loss`.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raise a ValueError if the outputs of both models have different structures."""
        nested.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raise a ValueError if the loss does not fit the models; nothing here."""


@register_keras_serializable("seqonnx.distillation", "FeatureDistillation")
class FeatureDistillation(DistillationLoss):
    """A loss between what a layer of the teacher gives and what one of the student gives.

    Romero et al., "FitNets: hints for thin deep nets" (2015).

    Args:
        loss: name or instance of a loss; for several outputs a structure of them, None where an
            output does not count.
        teacher_layer_name: layer of the teacher; None for its output.
        student_layer_name: layer of the student; None for its output.

    Raises:
        ValueError: if no loss is given.

    Example:
        >>> loss = FeatureDistillation("mae")
        >>> float(loss.compute_loss(np.ones((2, 3)), np.zeros((2, 3))))
        1.0
    """

    def __init__(
        self,
        loss: Any = "mse",
        teacher_layer_name: str | None = None,
        student_layer_name: str | None = None,
    ) -> None:
        self.teacher_layer_name, self.student_layer_name = teacher_layer_name, student_layer_name
        self.loss = _found(
            loss,
            "The `loss` argument in `FeatureDistillation` must contain at least one non-`None` "
            "value.",
        )

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raise a ValueError if a model lacks the layer that is named."""
        named = {"teacher": self.teacher_layer_name, "student": self.student_layer_name}
        models = {"teacher": teacher, "student": student}
        if any(named.values()):
            unknown = [role for role, model in models.items() if model._inputs is None]
            if unknown:
                raise ValueError(
                    "FeatureDistillation with specific layer names requires Functional or "
                    f"Sequential models. The {' and '.join(unknown)} model(s) appear to be "
                    "subclassed (no symbolic inputs/outputs). Distil the final outputs, without "
                    "layer names, or use LogitsDistillation."
                )
        for role, name in named.items():
            if name is not None:
                try:
                    models[role].get_layer(name=name)
                except ValueError as error:
                    raise ValueError(f"In {role} model: {error}") from error

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raise a ValueError if outputs and losses have different structures."""
        super().validate_outputs(teacher_outputs, student_outputs)
        _check_structure(self.loss, teacher_outputs)

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the sum of the losses of all outputs; see `DistillationLoss`."""

        def one(loss: Any, teacher: Any, student: Any) -> Any:
            return None if loss is None else ops.mean(loss(teacher, student))

        return _total(one, self.loss, teacher_outputs, student_outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values."""
        return {
            "loss": _written(self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a loss from the configuration returned by `get_config`."""
        return cls(**{**config, "loss": _read(config["loss"])})


@register_keras_serializable("seqonnx.distillation", "LogitsDistillation")
class LogitsDistillation(DistillationLoss):
    """A loss between the logits of teacher and student, divided by a temperature.

    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015): a
    `"kl_divergence"` compares the probabilities, and is multiplied by the temperature squared.

    Args:
        temperature: what logits are divided by; a higher one gives softer probabilities.
        loss: name or instance of a loss; for several outputs a structure of them, None where an
            output does not count. Losses other than `"kl_divergence"` get the divided logits.

    Raises:
        ValueError: if the temperature is no positive number, or no loss is given.

    Example:
        >>> loss = LogitsDistillation(temperature=2.0)
        >>> float(loss.compute_loss(np.ones((1, 3)), np.ones((1, 3))))
        0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence") -> None:
        self.loss = _found(loss, "At least one loss must be non-`None`.")
        if isinstance(temperature, bool) or not isinstance(temperature, int | float):
            raise ValueError(f"temperature must be a number, got {type(temperature)}")
        if temperature <= 0.0:
            raise ValueError(f"temperature must be positive. Received: temperature={temperature}")
        self.temperature = temperature

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the sum of the losses of all outputs; see `DistillationLoss`."""
        heat = self.temperature

        def one(loss: Any, teacher: Any, student: Any) -> Any:
            if loss is None:
                return None
            teacher, student = teacher / heat, student / heat
            if isinstance(loss, losses.KLDivergence):
                soft = ops.softmax(teacher, axis=-1), ops.softmax(student, axis=-1)
                return ops.mean(loss(*soft)) * heat**2
            return ops.mean(loss(teacher, student))

        return _total(one, self.loss, teacher_outputs, student_outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values."""
        return {"temperature": self.temperature, "loss": _written(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a loss from the configuration returned by `get_config`."""
        return cls(**{**config, "loss": _read(config["loss"])})


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, list | tuple | dict)


def mapped(change: Any, structure: Any, *others: Any) -> Any:
    """Return a structure with a change of each part, and of the parts of others at its place.

    Args:
        change: gives the new part.
        structure: parts in lists, tuples and dicts.
        *others: structures of the same form.
    """
    if isinstance(structure, dict):
        return {k: mapped(change, v, *(x[k] for x in others)) for k, v in structure.items()}
    if isinstance(structure, list | tuple):
        return [mapped(change, *parts) for parts in zip(structure, *others, strict=True)]
    return change(structure, *others)


def _found(loss: Any, error: str) -> Any:
    """The losses that names stand for."""
    found = mapped(lambda x: losses.get(x) if isinstance(x, str) else x, loss)
    if all(each is None for each in nested.flatten(found)):
        raise ValueError(error)
    return found


def _written(loss: Any) -> Any:
    return mapped(lambda x: None if x is None else losses.serialize(x), loss)


def _read(loss: Any) -> Any:
    """Losses from their configurations, each of which is a dict itself."""
    if isinstance(loss, dict) and "class_name" in loss:
        return losses.deserialize(loss)
    if isinstance(loss, dict):
        return {key: _read(each) for key, each in loss.items()}
    return [_read(x) for x in loss] if isinstance(loss, list | tuple) else losses.get(loss)


def _check_structure(loss: Any, outputs: Any) -> None:
    """Raise a ValueError unless there is a loss, or None, for each output."""
    try:
        mapped(lambda *_: None, loss, outputs)
        mapped(lambda *_: None, outputs, loss)
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise ValueError(
            f"Loss structure mismatch. Loss structure: {loss}, Output structure: {outputs}. "
            f"Error: {error!r}"
        ) from error


def _total(one: Any, loss: Any, teacher: Any, student: Any) -> Any:
    """The sum of the losses that are not None."""
    values = [x for x in nested.flatten(mapped(one, loss, teacher, student)) if x is not None]
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
