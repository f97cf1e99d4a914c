/** Which queues are served now: staff are warned before they send a patient where nobody calls. Pure functions. */

/**
 * @typedef {object} ServingPoint
 * @property {string} state
 * @property {number[]} queues
 * @property {number | null} provider
 * @property {string[]} unmet_needs
 */

/**
 * Return whether an open point may call a patient from a queue: the same rule as the server's.
 *
 * @param {ServingPoint[]} points
 * @param {{queue: number, provider: number | null, needs: string[]}} patient  `provider`: null for any
 */
export function isServed(points, { queue, provider, needs }) {
  return points.some(
    (point) =>
      point.state === "open" &&
      point.queues.includes(queue) &&
      (provider === null || point.provider === provider) &&
      !needs.some((need) => point.unmet_needs.includes(need)),
  );
}
