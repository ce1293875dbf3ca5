"""The formats of data sets, one module each: a function `read` that gives items with the positions after them."""
