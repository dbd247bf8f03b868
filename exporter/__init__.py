"""One service catalog in; health metrics, dashboards, alerts and deploy files out."""

__version__ = "0.1.0"
