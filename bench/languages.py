"""What the three query languages cost, in the interpreter alone: no store, no encoding but the step's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from statewright.definition.compile import compile_definition
from statewright.lang import jmespath, jsonata, jsonpath
from statewright.lang.scope import Entropy, Scope
from statewright.model import Continue, Execution, Phase
from statewright.step import begin, step
from statewright.values import Payload

__all__ = ["compile_and_evaluate", "language_cost"]

ORDER = {
    "order": {
        "id": "1001",
        "total": 120,
        "items": [{"name": f"item {number}", "price": number} for number in range(20)],
    }
}


def languages() -> dict[str, dict[str, Any]]:
    """A choice and a state that makes an object, as each query language writes them; by language."""
    low, high = "small", "large"

    def machine(language: str, condition: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        states: dict[str, Any] = {
            "Which": {"Type": "Choice", "Choices": [{**condition, "Next": low}], "Default": high},
            low: {"Type": "Pass", **made, "Next": "Done"},
            high: {"Type": "Pass", **made, "Next": "Done"},
            "Done": {"Type": "Succeed"},
        }
        return {"QueryLanguage": language, "StartAt": "Which", "States": states}

    return {
        "JSONPath": machine(
            "JSONPath",
            {"Variable": "$.order.total", "NumericLessThan": 100},
            {"Parameters": {"id.$": "$.order.id", "names.$": "$.order.items[*].name"}},
        ),
        "JSONata": machine(
            "JSONata",
            {"Condition": "{% $states.input.order.total < 100 %}"},
            {"Output": {"id": "{% $states.input.order.id %}", "names": "{% $states.input.order.items.name %}"}},
        ),
        "JMESPath": machine(
            "JMESPath",
            {"Condition": "{% states.input.order.total < `100` %}"},
            {"Output": {"id": "{% states.input.order.id %}", "names": "{% states.input.order.items[*].name %}"}},
        ),
    }


def language_cost(times: int) -> dict[str, float]:
    """µs of a transition in each query language."""
    execution = Execution("x", "arn:x", "x", "arn:m", "m", "0", Payload.of(ORDER), 0)
    costs: dict[str, float] = {}
    for language, definition in languages().items():
        program = compile_definition(definition)
        started = time.perf_counter()
        transitions = 0
        for _ in range(times):
            frame = begin(program, execution).frame
            while frame.phase is Phase.ENTER:
                frame = step(program, execution, frame, Continue(at=0, entropy="", base=1)).frame
                transitions += 1
        costs[language] = (time.perf_counter() - started) / transitions * 1e6
    return costs


def compile_and_evaluate(times: int) -> dict[str, dict[str, float]]:
    """µs of an expression in each query language: compiled and evaluated for the first time, and evaluated again.

    Each of the `times` expressions differs from the others, so that no cache spares its compilation.
    """

    def scope() -> Scope:
        return Scope(ORDER, {}, {}, Entropy(0))  # each has what one state may spend

    evaluators: dict[str, Callable[[str], Callable[[], Any]]] = {
        "JSONPath": lambda text: _bound(
            jsonpath.compile_path(f"$.order.items[?(@.price > {text})].name").resolve, scope()
        ),
        "JSONata": lambda text: _bound(
            jsonata.compile_expression(f"$states.input.order.items[price > {text}].name").evaluate, scope(), {}
        ),
        "JMESPath": lambda text: _bound(
            jmespath.compile_expression(f"states.input.order.items[?price > `{text}`].name").evaluate, scope(), {}
        ),
    }
    return {language: _first_and_again(evaluator, times) for language, evaluator in evaluators.items()}


def _bound(evaluate: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: evaluate(*arguments)


def _first_and_again(evaluator: Callable[[str], Callable[[], Any]], times: int) -> dict[str, float]:
    first = again = 0.0
    for number in range(times):
        started = time.perf_counter()
        evaluate = evaluator(f"{number}.5")
        found = evaluate()
        between = time.perf_counter()
        assert evaluate() == found
        again += time.perf_counter() - between
        first += between - started
    return {"first_us": first / times * 1e6, "again_us": again / times * 1e6}
