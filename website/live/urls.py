from django.urls import path

from website.live import views

urlpatterns = [path("api/v1/lanes/<str:lane>/messages", views.messages, name="lane_messages")]
