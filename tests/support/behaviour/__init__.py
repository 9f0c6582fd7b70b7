"""Names of Keras at work: expressions that either kit evaluates: recorded there, tested here."""
