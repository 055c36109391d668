"""Complete command lines in a shell: find the candidates, and write them as bash, zsh or fish reads them."""
