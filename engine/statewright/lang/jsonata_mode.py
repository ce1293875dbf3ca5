"""`QueryLanguage: JSONata`."""

from __future__ import annotations

from typing import Final

from statewright.lang.expression_mode import ExpressionLanguage
from statewright.lang.jsonata import compile_expression

__all__ = ["JSONATA"]

JSONATA: Final = ExpressionLanguage("JSONata", compile_expression)
