"""Integer planes: the token pyramid, its order, its grain map."""
