"""The server: everything between the network and a result."""
