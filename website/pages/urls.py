from django.urls import path

from website.pages import information, views

urlpatterns = [
    path("calm", views.switch_calm, name="calm"),
    path("language", views.set_language, name="language"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("odds", information.odds, name="odds"),
    path("fairness", information.fairness, name="fairness"),
    path("fairness/scripts", information.scripts, name="fairness_scripts"),
    path("fairness/lottery.pyz", information.program, name="program"),
    path("custody", information.custody, name="custody"),
    path("rules", information.rules, name="rules"),
    path("rules/<slug:room>/<int:number>", information.rules_of, name="rules_of"),
    path("news", information.news, name="news"),
    path("status", information.status, name="status"),
    *(path(name, information.text, {"name": name}, name=name) for name in information.TEXTS),
]
