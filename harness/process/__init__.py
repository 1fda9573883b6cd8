"""Child processes of the harness: started with a pipe, ended with their parent."""
