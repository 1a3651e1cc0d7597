"""The front of the web process: an event loop that handles slow callers before and after a thread works for them.

Views are synchronous, and there are few threads for them. A caller that sends or reads slowly must not hold a thread.
So the front reads bodies, with a size limit and a deadline, and sends answers in pieces. `app.Front` is the ASGI
application that the server (granian) runs. Behind it is a plain WSGI application.
"""
