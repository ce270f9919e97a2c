from django.urls import path

from website.pages import views
from website.pages.errors import not_found

urlpatterns = [
    path("calm", views.switch_calm, name="calm"),
    path("language", views.set_language, name="language"),
    path("healthz", views.healthz, name="healthz"),
    path("odds", not_found, name="odds"),
    path("fairness", not_found, name="fairness"),
    path("rules", not_found, name="rules"),
    path("help", not_found, name="help"),
    path("status", not_found, name="status"),
    path("terms", not_found, name="terms"),
    path("privacy", not_found, name="privacy"),
    path("contacts", not_found, name="contacts"),
]
