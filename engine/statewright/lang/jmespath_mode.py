"""`QueryLanguage: JMESPath`, which AWS does not have.

Its states have the fields of JSONata states; its expressions see `states` and the variables by their plain names.  It
cannot tell what is missing from null, so an expression never gives "nothing": it gives null.
"""

from __future__ import annotations

from typing import Final

from statewright.lang.expression_mode import ExpressionLanguage
from statewright.lang.jmespath import compile_expression

__all__ = ["JMESPATH"]

JMESPATH: Final = ExpressionLanguage("JMESPath", compile_expression)
