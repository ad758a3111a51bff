-- Views for `make sql`, of this shell only: the database itself is not changed. Temperatures in °F as stored.
CREATE TEMP VIEW latest AS
SELECT sensorName AS sensor, max(recordWrittenUTC) AS utc, temperatureF, relHumidityPercent, dewPointF,
       battPercent, apRSSI
FROM ECCTempHum GROUP BY sensorName;

CREATE TEMP VIEW today AS
SELECT recordWrittenUTC AS utc, sensorName AS sensor, temperatureF, relHumidityPercent, dewPointF
FROM ECCTempHum WHERE recordWrittenUTC >= strftime('%Y-%m-%d', 'now');

CREATE TEMP VIEW daily AS
SELECT substr(recordWrittenUTC, 1, 10) AS day, sensorName AS sensor, count(*) AS readings,
       min(temperatureF) AS minF, round(avg(temperatureF), 2) AS meanF, max(temperatureF) AS maxF,
       min(relHumidityPercent) AS minRH, round(avg(relHumidityPercent), 2) AS meanRH,
       max(relHumidityPercent) AS maxRH
FROM ECCTempHum GROUP BY sensorName, day;

-- Silence of more than half an hour between two readings of one sensor.
CREATE TEMP VIEW gaps AS
SELECT sensor, since, until, round(minutes, 1) AS minutes
FROM (SELECT sensorName AS sensor, recordWrittenUTC AS until,
             lag(recordWrittenUTC) OVER one AS since,
             (julianday(recordWrittenUTC) - julianday(lag(recordWrittenUTC) OVER one)) * 1440 AS minutes
      FROM ECCTempHum WINDOW one AS (PARTITION BY sensorName ORDER BY recordWrittenUTC))
WHERE minutes > 30;

CREATE TEMP VIEW batteries AS
SELECT sensorName AS sensor, max(recordWrittenUTC) AS utc, battVoltage, battPercent
FROM ECCTempHum GROUP BY sensorName ORDER BY battPercent;
