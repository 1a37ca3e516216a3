def tokenize(line, known): return line.split()
def detokenize(words): return " ".join(words)
