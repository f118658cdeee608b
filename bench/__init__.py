"""What is measured beside peers and physical limits; run it by ``python -m bench``.

Each area is a module with ``tables(is_quick)``; nothing of PremRunner may import from here.
"""
