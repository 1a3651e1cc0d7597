"""The sign-in pages and one page behind the guard: enough of a portal to test the locks by themselves."""

from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_POST

from accounts.guard import public, requires
from accounts.permissions import Permission


@requires(Permission.HOME)
def home(request):
    return HttpResponse(f"hello {request.user.username}")


@requires(Permission.AUDIT)
def trail(request):
    return HttpResponse("the trail")


@require_POST
@requires(Permission.REQUEST)
def ask(request):
    return HttpResponse("asked")


@public
def open_to_all(request):
    return HttpResponse("welcome")


urlpatterns = [
    path("", home),
    path("trail", trail),
    path("ask", ask),
    path("open", open_to_all),
    path("", include("portal.web.account.views")),
]
