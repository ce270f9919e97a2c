"""The addresses of the office, which are all that its process has."""

from django.urls import include, path

from website.office import doing, entrance, screens, site
from website.pages import views as pages

office = [
    path("office", screens.start, name="start"),
    path("office/enter", entrance.enter, name="enter"),
    path("office/leave", entrance.leave, name="leave"),
    path("office/join/<str:word>", entrance.join, name="join"),
    path("office/language", pages.set_language, name="language"),
    path("office/do/<slug:name>", doing.do, name="do"),
    path("office/approvals", doing.approvals, name="approvals"),
    path("office/approvals/<int:number>", doing.decide, name="decide"),
    path("office/rooms", screens.rooms, name="rooms"),
    path("office/rooms/<slug:room>/rules", screens.rules, name="rules"),
    path("office/rounds/<slug:lane>/<int:number>", screens.one_round, name="round"),
    path("office/raffles", screens.raffles, name="raffles"),
    path("office/players", screens.players, name="players"),
    path("office/players/<int:number>", screens.player, name="player"),
    path("office/ledger", screens.books, name="ledger"),
    path("office/stock", screens.stock, name="stock"),
    path("office/typing", screens.typing, name="typing"),
    path("office/texts", screens.written, name="texts"),
    path("office/texts/<slug:name>", screens.versions, name="versions"),
    path("office/log", screens.staff_log, name="log"),
    path("office/staff", screens.staff, name="staff"),
    path("office/staff/<str:name>/invitation", screens.invitation, name="invitation"),
    path("office/lists", site.lists, name="lists"),
]
urlpatterns = [
    path("office/lists/", site.office.urls),
    path("", include((office, "office"))),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
]
handler403 = "website.office.guard.refused"
handler404 = "website.office.guard.not_found"
handler500 = "website.office.guard.broken"
