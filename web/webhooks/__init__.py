"""Where carriers knock: no session, no page; each call proves itself by its signature."""

from flask import Blueprint

from . import twilio

bp = Blueprint("webhooks", __name__)
bp.register_blueprint(twilio.bp)
