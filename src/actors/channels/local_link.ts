import { Deque } from "../../core/mod.ts";
import { type ChannelLink, endMark, type LinkEvents, noItem } from "./link.ts";

/** One side's end of a channel in one process: items go to the other end's queue by reference. */
export class LocalLink implements ChannelLink {
  readonly #window: number;
  readonly #arrived = new Deque<unknown>();
  #other!: LocalLink;
  #events: LinkEvents | null = null;
  #wants = false;
  #closing: string | null = null;

  private constructor(window: number) {
    this.#window = window;
  }

  /** The two ends of a channel. @param window Items that wait at most on each side. */
  static pair(window: number): readonly [LocalLink, LocalLink] {
    const one = new LocalLink(window);
    const two = new LocalLink(window);
    one.#other = two;
    two.#other = one;
    return [one, two];
  }

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#arrived.size > 0) events.arrived(this.#arrived.size);
    if (this.#closing !== null) events.closing(this.#closing);
  }

  write(_value: unknown, checked: unknown): boolean {
    return this.#push(checked);
  }

  keep(): unknown {
    // What the schema makes of it goes by reference.
    return undefined;
  }

  bytesOf(): number {
    return 0;
  }

  writeKept(_kept: unknown, checked: unknown): boolean {
    return this.#push(checked);
  }

  writeEnd(): boolean {
    return this.#push(endMark);
  }

  close(reason: string): void {
    const other = this.#other;
    other.#closing = reason;
    other.#events?.closing(reason);
  }

  confirm(): void {
    this.#other.#events?.confirmed();
  }

  get size(): number {
    return this.#arrived.size;
  }

  get left(): number {
    return this.size;
  }

  take(): unknown {
    if (this.#arrived.size === 0) return noItem;
    const item = this.#arrived.shift();
    const other = this.#other;
    if (other.#wants) {
      other.#wants = false;
      other.#events?.room();
    }
    return item;
  }

  release(): void {}

  drop(): void {
    this.#arrived.clear();
  }

  cut(): void {}

  #push(item: unknown): boolean {
    const { size } = this.#other.#arrived;
    if (size >= this.#window) {
      this.#wants = true;
      return false;
    }
    this.#other.#arrived.push(item);
    this.#other.#events?.arrived(1);
    return true;
  }
}
