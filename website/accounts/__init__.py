"""Players: who they are at Steam, and who invited them."""
