"""The frame around an e-mail: layout only, no words."""
