"""Other people's JSON: OpenAI's, Anthropic's and Prem's requests and answers, as pure functions of what they say.

No request, no response, no service: what comes in and goes out are plain values; each line can be tested alone.
"""
