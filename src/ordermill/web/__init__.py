"""The HTTP shell: from socket to dialect and back."""
