/**
 * The plan of a new clinic while somebody edits it: its queues, rooms and hours. A room refers to the queues themselves, so
 * that a renamed queue stays the queue of its rooms.
 *
 * @typedef {Record<string, string>} Names  by language tag
 * @typedef {{name: string, prefix: string, capacity: number, joins_anew: boolean, names: Names}} QueuePlan
 * @typedef {{name: string, queues: string[], unmet_needs: string[], names: Names}} PointPlan
 * @typedef {[number, number, number]} Period  weekday from 0 for Monday, minutes after midnight from and until
 * @typedef {object} SitePlan  as the server sends and takes it
 * @property {QueuePlan[]} queues
 * @property {PointPlan[]} points
 * @property {string[]} displays
 * @property {Period[]} hours
 *
 * @typedef {{name: string, prefix: string, given: QueuePlan | null}} Queue
 * @typedef {{name: string, queues: Set<Queue>, given: PointPlan | null}} Room
 */

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
export const DAYS = [0, 1, 2, 3, 4, 5, 6];
/** The hours of a day that somebody opens. @type {[number, number]} */
const USUAL = [9 * 60, 17 * 60];

/** A plan that somebody edits. */
export class Plan {
  #displays;

  /** @param {SitePlan} site */
  constructor(site) {
    this.#displays = site.displays;
    /** @type {Queue[]} */
    this.queues = site.queues.map((given) => ({ name: given.name, prefix: given.prefix, given }));
    const byName = new Map(this.queues.map((queue) => [queue.name, queue]));
    /** @type {Room[]} */
    this.rooms = site.points.map((given) => ({
      name: given.name,
      queues: new Set(given.queues.flatMap((name) => byName.get(name) ?? [])),
      given,
    }));
    this.alwaysOpen = site.hours.length === 0;
    this.hours = site.hours.length > 0 ? [...site.hours] : DAYS.slice(0, 5).map((day) => /** @type {Period} */ ([day, ...USUAL]));
  }

  /** Add a queue with the next free letter. @param {string} name */
  addQueue(name) {
    const taken = new Set(this.queues.map(({ prefix }) => prefix));
    const prefix = Array.from(LETTERS).find((letter) => !taken.has(letter)) ?? "A";
    /** @type {Queue} */
    const queue = { name, prefix, given: null };
    this.queues.push(queue);
    const [only] = this.rooms;
    if (this.rooms.length === 1 && only !== undefined) only.queues.add(queue);
    return queue;
  }

  /** Remove a queue, and rooms keep their other queues. @param {Queue} queue */
  removeQueue(queue) {
    this.queues = this.queues.filter((each) => each !== queue);
    for (const { queues } of this.rooms) queues.delete(queue);
  }

  /** Add a room for all queues. @param {string} name */
  addRoom(name) {
    /** @type {Room} */
    const room = { name, queues: new Set(this.queues), given: null };
    this.rooms.push(room);
    return room;
  }

  /** @param {Room} room */
  removeRoom(room) {
    this.rooms = this.rooms.filter((each) => each !== room);
  }

  /** Return the opening hours of a weekday. @param {number} day */
  periodsOf(day) {
    return this.hours.filter(([each]) => each === day);
  }

  /** Open or close a weekday. @param {number} day @param {boolean} isOpen */
  openOn(day, isOpen) {
    const others = this.hours.filter(([each]) => each !== day);
    const before = this.hours.find(([each]) => each !== day);
    const [from, until] = before === undefined ? USUAL : [before[1], before[2]];
    this.hours = isOpen ? [...others, /** @type {Period} */ ([day, from, until])].sort((one, other) => one[0] - other[0]) : others;
  }

  /**
   * Return the problems of this plan: keys of texts, each with the record that it is about.
   *
   * @returns {{key: string, about: Queue | Room | Period | null}[]}
   */
  problems() {
    const found = [];
    if (this.queues.length === 0) found.push({ key: "welcome.plan.no_queue", about: null });
    else if (this.rooms.length === 0) found.push({ key: "welcome.plan.no_room", about: null });
    for (const records of [this.queues, this.rooms]) {
      const seen = new Set();
      for (const each of /** @type {(Queue | Room)[]} */ (records)) {
        const name = each.name.trim();
        if (name === "") found.push({ key: "welcome.plan.name_missing", about: each });
        else if (seen.has(name)) found.push({ key: "welcome.plan.name_twice", about: each });
        seen.add(name);
      }
    }
    for (const room of this.rooms) if (room.queues.size === 0 && this.queues.length > 0) found.push({ key: "welcome.plan.room_idle", about: room });
    if (!this.alwaysOpen) {
      for (const period of this.hours) if (period[1] >= period[2]) found.push({ key: "welcome.plan.hours_wrong", about: period });
    }
    return found;
  }

  /** Return the plan as the server takes it. @returns {SitePlan} */
  toSite() {
    const queues = this.queues.map(({ name, prefix, given }) => ({
      name: name.trim(),
      prefix,
      capacity: given?.capacity ?? 0,
      joins_anew: given?.joins_anew ?? false,
      names: namesOf(given, name),
    }));
    const points = this.rooms.map(({ name, queues: served, given }) => ({
      name: name.trim(),
      queues: this.queues.filter((queue) => served.has(queue)).map((queue) => queue.name.trim()),
      unmet_needs: given?.unmet_needs ?? [],
      names: namesOf(given, name),
    }));
    return { queues, points, displays: this.#displays, hours: this.alwaysOpen ? [] : this.hours };
  }
}

/**
 * Return the names in other languages, which belong to the given name alone.
 *
 * @param {{name: string, names: Names} | null} given
 * @param {string} name
 */
const namesOf = (given, name) => (given !== null && given.name === name.trim() ? given.names : {});
