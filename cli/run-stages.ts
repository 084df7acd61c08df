// Stages of a run for a command: in this process on one session, or a process each; what each is and how it failed.

import { join } from 'node:path';
import { readDataset } from '../data/dataset.ts';
import { doWork, type WorkStage } from '../eval/pipeline.ts';
import { duration, runStages } from '../eval/stages.ts';
import { hashFolder } from '../link/model-base.ts';
import { besideSession, inputsFingerprint, type Session } from '../link/session.ts';
import { readClipConfig } from '../model/clip/clip-config.ts';
import { ExitError, reportError } from './errors.ts';
import { describeSession, openWork, type SessionConfig } from './open-work.ts';
import { OutputClosedError, printError } from './output.ts';
import { showWork } from './show-work.ts';
import { commandLine, type PresetSource, runIsolated } from './stage-commands.ts';

/** Trainings at once on a CPU: a device waits for each of its kernels, and leaves a core idle now and then. */
const placesOfCpu = 2;

/** Does stages; those of several runs may share one session. */
export class StageRunner {
  readonly #config: SessionConfig;
  readonly #source: PresetSource;
  readonly #isIsolated: boolean;
  #session: Promise<Session> | null = null;
  #beside: Promise<Session> | null = null;
  /** All is done on one device then. */
  #isProfiled = false;

  constructor(config: SessionConfig, source: PresetSource, isIsolated: boolean) {
    this.#config = config;
    this.#source = source;
    this.#isIsolated = isIsolated;
  }

  /** Opens the session, where there is to be one: what is missing or damaged is said before anything is written. */
  async open(profile = false): Promise<void> {
    if (this.#session) return;
    if (this.#isIsolated) {
      await readDataset(this.#config.data.folder);
      await readClipConfig(join(this.#config.clip.folder, 'config.json'));
      return;
    }
    this.#isProfiled = profile;
    this.#session = openWork(this.#config, { profile });
    describeSession(await this.#session);
  }

  /**
   * Does the stages of the run in `folder`, several at once where `together` says so. Prints each as the command that
   * would do it alone. Throws ExitError for a stage that fails, having said why.
   */
  async run(
    folder: string,
    stages: readonly WorkStage[],
    options: { resume: boolean; together: boolean },
  ): Promise<{ [name: string]: number }> {
    const shown = showWork();
    const together = options.together && !this.#isIsolated;
    const isCpu = together && (await this.#sessionAt(0)).device.isCpu;
    return runStages(
      folder,
      stages,
      {
        resume: options.resume,
        madeFrom: await this.#inputs(),
        atOnce: together ? (isCpu ? placesOfCpu : stages.length) : 1,
      },
      {
        run: async (stage, { resume, signal, place }) => {
          shown.line(`\n$ ${commandLine(stage.work, this.#source)}${resume ? ' --resume' : ''}`);
          const hooks = together ? shown.named(stage.name) : shown;
          const signals = AbortSignal.any([shown.signal, signal]);
          try {
            if (this.#isIsolated) await runIsolated(stage, this.#source, resume);
            else
              await doWork(stage.work, () => this.#sessionAt(place), { ...hooks, signal: signals, resume });
          } catch (error) {
            // Another stage has failed, and said so; or the user has stopped all.
            if (signals.aborted || error instanceof OutputClosedError) throw error;
            const code = reportError(error);
            printError(`${stage.name}: failed, exit code ${code}`);
            throw new ExitError(code);
          }
        },
        onWarning: shown.onWarning,
        onFinished: ({ name }, seconds) => shown.line(`\n${name}: finished before, in ${duration(seconds)}`),
      },
    );
  }

  /** What all stages are made from. */
  async #inputs(): Promise<string> {
    const { data, clip } = this.#config;
    const session = this.#isIsolated ? null : await this.#sessionAt(0);
    if (session) return inputsFingerprint(session.dataset, session.features.clipHash);
    return inputsFingerprint(await readDataset(data.folder), await hashFolder(clip.folder));
  }

  /** The session, where one was opened. */
  async session(): Promise<Session | null> {
    return this.#session;
  }

  async close(): Promise<void> {
    // One that could not be opened was said by the stage that asked for it.
    (await this.#beside?.catch(() => null))?.close();
    (await this.#session)?.close();
    this.#session = null;
    this.#beside = null;
  }

  /** The session of a place: on a CPU the second has a device of its own, a GPU is filled by one and takes all. */
  async #sessionAt(place: number): Promise<Session> {
    await this.open();
    const session = await this.#session!;
    if (place === 0 || this.#isProfiled || !session.device.isCpu) return session;
    this.#beside ??= besideSession(session);
    return this.#beside;
  }
}
