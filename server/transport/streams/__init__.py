"""The live streams under `/live`: admission, framing as SSE and WebSocket, and the hand-off of a connection."""
