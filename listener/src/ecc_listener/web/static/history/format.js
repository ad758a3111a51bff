// Numbers, times and units for the viewer; the units are those of the page, the time zone that of the browser.

const LOCALE = "en-GB";
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

const written = (options) => {
  const format = new Intl.DateTimeFormat(LOCALE, options);
  return (time) => format.format(time);
};
const oneDecimal = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const significant = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 5 });
const atMostOne = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });

const DATE = { weekday: "short", day: "numeric", month: "short" };
const HOUR_AND_MINUTE = { hour: "2-digit", minute: "2-digit" };

/** Write a date or a moment; without the year if it is this year. */
function sayable(options) {
  const [short, long] = [written(options), written({ ...options, year: "numeric" })];
  return (time) => (new Date(time).getFullYear() === new Date().getFullYear() ? short : long)(time);
}

const [date, moment] = [sayable(DATE), sayable({ ...DATE, ...HOUR_AND_MINUTE })];

export function makeFormat(units) {
  const isCelsius = units === "c";
  return {
    unit: isCelsius ? "°C" : "°F",
    temperature: (fahrenheit) => (isCelsius ? (fahrenheit - 32) / 1.8 : fahrenheit),
    number: (value) => oneDecimal.format(value),
    significant: (value) => significant.format(value),
    tick: (value) => atMostOne.format(value),
    clock: written(HOUR_AND_MINUTE),
    day: written({ day: "numeric", month: "short" }),
    date,
    month: (date) => written(date.getMonth() ? { month: "short" } : { year: "numeric" })(date),
    moment,
    about: (time, step) => (step >= DAY ? date(time) : moment(time)),
    duration,
    local,
  };
}

function duration(length) {
  if (length < MINUTE) return `${Math.round(length / 1000)} s`;
  if (length < HOUR) return `${Math.round(length / MINUTE)} min`;
  const hours = Math.round(length / HOUR);
  if (hours < 24) return hours === 1 ? "1 hour" : `${hours} hours`;
  const days = Math.round(length / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

/** Return a time as a field of type datetime-local takes it. */
function local(time) {
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
