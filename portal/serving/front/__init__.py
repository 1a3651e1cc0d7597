"""The web process's front: an event loop that deals with slow callers, before and after a thread works for them.

Views are synchronous and there are few threads for them. A caller who sends or reads slowly must not hold one: bodies
are read here, within bounds and a deadline, and answers are handed out here, piece by piece. `app.Front` is the ASGI
application that the server (granian) runs; what is behind it is a plain WSGI application.
"""
