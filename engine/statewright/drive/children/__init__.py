"""Executions that belong to others: nested ones, child executions of map runs, and successors."""
