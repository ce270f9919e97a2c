from django.urls import path

from website.rooms import views

urlpatterns = [path("", views.lobby, name="lobby")]
