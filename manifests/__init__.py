"""Who is class 17, what is "base", what is split 2: class lists and protocols, without torch."""
