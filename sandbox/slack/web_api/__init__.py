"""The Web API of the sandbox: how a call is read, let in, refused and answered."""
