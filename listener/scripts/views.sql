-- Views for `make sql`, of this shell only: no file is changed. `sql` makes `readings` and `today` over all files.
-- Temperatures in °F as stored; days are those of this machine's time zone.
CREATE TEMP VIEW latest AS
SELECT sensorName AS sensor, location, recordWrittenUTC AS utc, datetime(recordWrittenUTC, 'localtime') AS local,
       temperatureF, round((temperatureF - 32) / 1.8, 2) AS temperatureC, relHumidityPercent, dewPointF, battPercent,
       apRSSI
FROM main.ECCLatest ORDER BY sensorName;

CREATE TEMP VIEW daily AS
SELECT date(utc, 'localtime') AS day, sensor, count(*) AS readings,
       min(temperatureF) AS minF, round(avg(temperatureF), 2) AS meanF, max(temperatureF) AS maxF,
       min(relHumidityPercent) AS minRH, round(avg(relHumidityPercent), 2) AS meanRH,
       max(relHumidityPercent) AS maxRH
FROM readings GROUP BY sensor, day;

-- Silence of more than half an hour between two readings of one sensor.
CREATE TEMP VIEW gaps AS
SELECT sensor, datetime(since, 'localtime') AS since, datetime(until, 'localtime') AS until,
       round(minutes, 1) AS minutes
FROM (SELECT sensor, utc AS until, lag(utc) OVER one AS since,
             (julianday(utc) - julianday(lag(utc) OVER one)) * 1440 AS minutes
      FROM readings WINDOW one AS (PARTITION BY sensor ORDER BY utc))
WHERE minutes > 30;

CREATE TEMP VIEW batteries AS
SELECT sensorName AS sensor, location, datetime(recordWrittenUTC, 'localtime') AS local, battVoltage, battPercent
FROM main.ECCLatest ORDER BY battPercent;
