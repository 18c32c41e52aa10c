"""The credentials that work unless others are set; they open nothing but a sandbox."""

CLIENT_ID, CLIENT_SECRET = "zimun-sandbox", "sandbox-secret"
