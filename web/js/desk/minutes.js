/**
 * Return the whole minutes between two instants; 0 if the second is earlier.
 *
 * @param {number} from   milliseconds since 1970
 * @param {number} until  milliseconds since 1970
 */
export function minutesBetween(from, until) {
  return Math.max(0, Math.floor((until - from) / 60_000));
}
