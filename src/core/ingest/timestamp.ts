/** Recognises the timestamps of RFC 3339, the form in which senders say when something happened. */

const SHAPE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):(\d\d))$/i;

/** RFC 3339 §5.6 with the days a month has (§5.7); a leap second is let through on any day. */
export function isTimestamp(value: string): boolean {
  const parts = SHAPE.exec(value);
  if (parts === null) return false;
  const [year, month, day, hour, minute, second, offsetHour, offsetMinute] = parts
    .slice(1)
    .map((part) => Number(part ?? 0));
  return (
    isWithin(month, 1, 12) &&
    isWithin(day, 1, daysOf(year ?? 0, month ?? 0)) &&
    isWithin(hour, 0, 23) &&
    isWithin(minute, 0, 59) &&
    isWithin(second, 0, 60) &&
    isWithin(offsetHour, 0, 23) &&
    isWithin(offsetMinute, 0, 59)
  );
}

function isWithin(value: number | undefined, from: number, to: number): boolean {
  return value !== undefined && value >= from && value <= to;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}
