"""Compose's short and long forms as one small type each, on plain data of the merged model.

Every function takes the value of one key, as it is in `Project.model`, and raises `FormError` for what no Compose
accepts. A text that holds `${…}` is never refused for what the variable may turn out to be. `service.py` has all
forms of a service at once.
"""
