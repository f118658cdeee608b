"""The website: pages for people, rendered here, and the small services their scripts call.

Views only parse, call the domain and fill a template; what a page shows is shaped in a module beside it.
"""
