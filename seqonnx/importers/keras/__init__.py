"""Files of Keras (`.weights.h5`, `.h5`, `.keras`): read with distrust and limits."""
