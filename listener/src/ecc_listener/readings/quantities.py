"""The quantities that a reading may have beside the original's, and how each is called. Pure."""

from math import log
from typing import NamedTuple


class NamedQuantity(NamedTuple):
    """How a further number is shown, and its lowest and highest possible value."""

    label: str
    unit: str
    low: float
    high: float


YES_NO = "yes or no"
"""The unit of what is 1 or 0."""

MEASURED = {
    # Air pressure: 870 and 1,085 hPa are the extremes at sea level; on the highest mountain it is 330.
    "pressure_hpa": NamedQuantity("Pressure", "hPa", 300, 1_200),
    "co2_ppm": NamedQuantity("CO₂", "ppm", 0, 100_000),
    "voc_ppb": NamedQuantity("VOC", "ppb", 0, 1e6),
    "voc_index": NamedQuantity("VOC index", "", 0, 1_000),
    "formaldehyde_mg_m3": NamedQuantity("Formaldehyde", "mg/m³", 0, 1_000),
    "pm1_ug_m3": NamedQuantity("PM1", "µg/m³", 0, 10_000),
    "pm2_5_ug_m3": NamedQuantity("PM2.5", "µg/m³", 0, 10_000),
    "pm10_ug_m3": NamedQuantity("PM10", "µg/m³", 0, 10_000),
    # Direct sun has 100,000 lx.
    "illuminance_lx": NamedQuantity("Light", "lx", 0, 200_000),
    "soil_moisture_percent": NamedQuantity("Soil moisture", "%", 0, 100),
    "water_leak": NamedQuantity("Water leak", YES_NO, 0, 1),
    "contact_closed": NamedQuantity("Closed", YES_NO, 0, 1),
}
"""What makes a message a reading, even without temperature and humidity."""
KNOWN = MEASURED | {
    "linkquality_lqi": NamedQuantity("Link quality", "LQI", 0, 255),
}
"""All further numbers that have a name of their own; others keep that of their field."""

_MAGNUS_A, _MAGNUS_B_C = 17.625, 243.04


def dew_point_c(temperature_c: float, humidity_percent: float) -> float:
    """Return the dew point in °C; the humidity must be above 0.

    Magnus formula with the coefficients of Alduchov and Eskridge, "Improved Magnus Form Approximation of
    Saturation Vapor Pressure", Journal of Applied Meteorology 35 (1996), equation 21: within 0.4 % from -40
    to 50 °C.
    """
    gamma = log(humidity_percent / 100) + magnus(temperature_c)
    return _MAGNUS_B_C * gamma / (_MAGNUS_A - gamma)


def magnus(temperature_c: float) -> float:
    """Return the exponent of the Magnus formula: the logarithm of the saturation pressure, but for a term."""
    return _MAGNUS_A * temperature_c / (_MAGNUS_B_C + temperature_c)
