// What every view needs: the viewer's time zone and units, kept in cookies that the server reads.

const YEAR_S = 365 * 24 * 3600;

function keep(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; max-age=${10 * YEAR_S}; path=/; samesite=lax`;
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && document.documentElement.dataset.zone !== zone) {
  const known = document.cookie;
  keep("zone", zone);
  // Only if the cookie is new: a browser without cookies, or a zone that the server doesn't know, must not loop.
  if (document.cookie !== known) location.reload();
}

for (const link of document.querySelectorAll("a[data-units]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    keep("units", link.dataset.units);
    location.reload();
  });
}
