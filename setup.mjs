// Makes a bare machine ready and says in one line each what it found and what it did: `npm run setup`. It
// changes nothing when nothing is missing. Plain JavaScript: it runs on any Node from 18 on, before anything
// else can.
//
// 1. Node. The sources are TypeScript, which Node runs as it is from 22.18 on. An older one gets the npm
//    package `node-linux-*` unsaved into node_modules; npm puts node_modules/.bin first in PATH, so every npm
//    script then uses it.
// 2. A WebGPU adapter that computes. None: lavapipe (Mesa's Vulkan on the CPU) by apt where root or sudo
//    allow it, else SwiftShader from the npm package `@sparticuz/chromium`, else the line to run.
//
// SwiftShader lies where SWIFTSHADER_ICD says. To use it, set the environment variables VK_DRIVER_FILES and
// VK_ICD_FILENAMES (older Vulkan loaders read only that one) to this path before the first adapter is asked
// for: this works from inside the process in Node and in Deno. A machine without the Vulkan loader gets the
// one that comes with SwiftShader, beside Dawn's library in node_modules/webgpu, where Dawn looks first.
//
// `npm run setup -- --swiftshader` installs SwiftShader though another adapter works (`npm run
// test:swiftshader` needs it); `--chromium` installs Debian's Chromium (`npm run test:package` needs one).

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

const ROOT = path.dirname(fileURLToPath(import.meta.url));

// Who reads no more of what it says lets it go on.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') process.exitCode = 1;
});

/** Where SwiftShader's driver manifest lies; engine/device/platform.ts looks at the same place. */
export const SWIFTSHADER_ICD = path.join(ROOT, '.cache', 'swiftshader', 'vk_swiftshader_icd.json');

const NODE_VERSION = '24.21.0';
const CHROMIUM_VERSION = '153.0.0';
const CHROMIUM_SHA512 =
  'jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==';

/** @param {string[]} args @returns {boolean} whether everything asked for is there */
function main(args) {
  const unknown = args.find((arg) => arg !== '--swiftshader' && arg !== '--chromium');
  if (unknown !== undefined) {
    say(`unknown argument ${unknown}; there are --swiftshader and --chromium`);
    return false;
  }
  if (webgpuFolder() === undefined) {
    say('the npm package webgpu is missing: run `npm ci` first');
    return false;
  }
  const node = findNode();
  if (node === undefined) return false;
  let ready = findAdapter(node);
  if (args.includes('--swiftshader')) ready = addSwiftShader(node) && ready;
  if (args.includes('--chromium')) ready = addChromium() && ready;
  say(ready ? 'ready' : 'not ready, see above');
  return ready;
}

/** @returns {string | undefined} where the package webgpu lies: here, or where npm put it for a project that uses dsmip */
function webgpuFolder() {
  try {
    return path.dirname(createRequire(import.meta.url).resolve('webgpu'));
  } catch {
    return undefined;
  }
}

// ---- Node

/** @returns {string | undefined} the path of a Node that runs TypeScript */
function findNode() {
  if (runsTypeScript(process.version)) {
    say(`Node ${process.versions.node} runs TypeScript`);
    return process.execPath;
  }
  const local = path.join(ROOT, 'node_modules', '.bin', 'node');
  const found = versionOf(local);
  if (found !== undefined && runsTypeScript(found)) {
    say(`Node ${found.slice(1)} in node_modules runs TypeScript (the system's ${process.version} does not)`);
    return local;
  }
  const advice = 'install Node 24 (22.18 is the oldest that runs TypeScript)';
  const isInstalled = ROOT.split(path.sep).includes('node_modules');
  if (isInstalled || process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    say(`Node ${process.versions.node} is too old: ${advice}`);
    return undefined;
  }
  const spec = `node-linux-${process.arch}@${NODE_VERSION}`;
  const error = npm(['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', spec], ROOT);
  const installed = versionOf(local);
  if (installed === undefined || !runsTypeScript(installed)) {
    const why = error === undefined ? 'does not run' : `failed: ${error}`;
    say(`Node ${process.versions.node} is too old and ${spec} ${why}: ${advice}`);
    return undefined;
  }
  say(
    `Node ${process.versions.node} is too old: put ${installed.slice(1)} into node_modules for npm scripts`,
  );
  return local;
}

/** Type stripping needs no flag from 22.18, 23.6 and 24 on. @param {string} version such as v22.18.0 */
function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
  return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** @param {string} node @returns {string | undefined} */
function versionOf(node) {
  const result = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

// ---- adapter

/** Finds a working adapter or makes one. @param {string} node @returns {boolean} */
function findAdapter(node) {
  let found = probe(node);
  if (found.adapter !== undefined) {
    say(`WebGPU adapter: ${found.adapter}`);
    return true;
  }
  if (found.fatal) {
    say(`the npm package webgpu does not load: ${found.why}`);
    return false;
  }
  const fallback = probeSwiftShader(node);
  if (fallback.adapter !== undefined) {
    say(`WebGPU adapter: ${fallback.adapter} in ${relative(SWIFTSHADER_ICD)} (the system has none)`);
    return true;
  }
  say(`no WebGPU adapter works (${found.why})`);
  if (process.platform !== 'linux') {
    say("install the driver of this machine's GPU, then run `npm run setup` again");
    return false;
  }
  if (installLavapipe()) {
    found = probe(node);
    if (found.adapter !== undefined) {
      say(`WebGPU adapter: ${found.adapter}`);
      return true;
    }
    say(`lavapipe is installed, but no adapter works (${found.why})`);
  }
  if (addSwiftShader(node)) return true;
  say('run as root: apt-get install mesa-vulkan-drivers libvulkan1 (or any Vulkan driver)');
  return false;
}

/**
 * Asks for an adapter in a child process and lets it compute one number: a driver may be listed and not work.
 * @param {string} node @param {Record<string, string>} [env]
 * @returns {{ adapter?: string, why: string, fatal?: boolean }}
 */
function probe(node, env = {}) {
  const result = spawnSync(node, ['--input-type=module', '-e', PROBE], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 120_000,
  });
  const line = (result.stdout ?? '').split('\n').find((text) => text.startsWith('{'));
  if (line !== undefined) return JSON.parse(line);
  if (result.error) return { why: result.error.message };
  const stderr = (result.stderr ?? '').trim().split('\n').pop();
  return { why: `the probe ended with ${result.signal ?? `exit code ${result.status}`}: ${stderr}` };
}

const PROBE = `
const say = (report) => { process.stdout.write(JSON.stringify(report) + '\\n', () => process.exit(0)); };
const { create, globals } = await import('webgpu').catch((error) => {
  say({ why: String(error.message).split('\\n')[0], fatal: true });
  return new Promise(() => {});
});
Object.assign(globalThis, globals);
try {
  globalThis.gpu = create([]); // held: Dawn crashes when its instance is collected before its devices
  const adapter = await globalThis.gpu.requestAdapter();
  if (adapter === null) say({ why: 'the system lists none, or its driver is too old' });
  else {
    const device = await adapter.requestDevice();
    const code = '@group(0) @binding(0) var<storage, read_write> x: array<f32>;' +
      '@compute @workgroup_size(1) fn main() { x[0] = x[0] * 2.0 + 1.0; }';
    const compute = { module: device.createShaderModule({ code }), entryPoint: 'main' };
    const pipeline = device.createComputePipeline({ layout: 'auto', compute });
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const x = device.createBuffer({ size: 4, usage: STORAGE | COPY_SRC | COPY_DST });
    const read = device.createBuffer({ size: 4, usage: COPY_DST | MAP_READ });
    device.queue.writeBuffer(x, 0, new Float32Array([20.5]));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const entries = [{ binding: 0, resource: { buffer: x } }];
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(x, 0, read, 0, 4);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const value = new Float32Array(read.getMappedRange())[0];
    const { vendor, architecture, device: name, description } = adapter.info;
    const adapterName = [vendor, architecture, name, description].filter(Boolean).join(', ');
    if (value === 42) say({ adapter: adapterName, why: '' });
    else say({ why: adapterName + ' computes 2 * 20.5 + 1 as ' + value });
  }
} catch (error) {
  say({ why: String(error.message ?? error).split('\\n')[0] });
}
`;

// ---- lavapipe

/** Installs Mesa's CPU Vulkan driver by apt, from backports on bookworm. @returns {boolean} */
function installLavapipe() {
  const apt = findApt('lavapipe');
  if (apt === undefined) return false;
  say('installing lavapipe by apt (mesa-vulkan-drivers, libvulkan1), this takes a minute');
  let error = apt.run(['update']);
  if (error !== undefined) return aptFailed('update', error);
  const options = [];
  if (osRelease().VERSION_CODENAME === 'bookworm') {
    // Bookworm's own Mesa, 22.3, is older than what Dawn accepts.
    error = addBackports(apt);
    if (error !== undefined) return aptFailed('with bookworm-backports', error);
    options.push('-t', 'bookworm-backports');
  }
  const packages = ['mesa-vulkan-drivers', 'libvulkan1'];
  error = apt.run(['install', '-y', '--no-install-recommends', ...options, ...packages]);
  return error === undefined || aptFailed('install', error);
}

/**
 * Adds bookworm-backports beside the mirror in use, unless it is there.
 * @param {Apt} apt @returns {string | undefined} the error
 */
function addBackports({ root, run }) {
  const targets = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)'], {
    encoding: 'utf8',
  });
  const lines = (targets.stdout ?? '').split('\n').map((line) => line.split(' '));
  if (lines.some(([, suite]) => suite === 'bookworm-backports')) return undefined;
  const mirror = lines.find(([, suite]) => suite === 'bookworm')?.[0];
  if (!mirror) return 'no bookworm mirror is configured';
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const option = fs.existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  const list = '/etc/apt/sources.list.d/bookworm-backports.list';
  if (fs.existsSync(list)) return `${list} exists, but apt does not list its suite`;
  let error = runAs(root, ['tee', list], `deb ${option}${mirror} bookworm-backports main\n`);
  error ??= run(['update']);
  if (error === undefined) say(`added ${list}`);
  else runAs(root, ['rm', '-f', list]);
  return error;
}

// ---- SwiftShader

/** Installs SwiftShader unless it is there and works. @param {string} node @returns {boolean} */
function addSwiftShader(node) {
  let found = probeSwiftShader(node);
  if (found.adapter !== undefined) {
    say(`SwiftShader: ${relative(SWIFTSHADER_ICD)} works`);
    return true;
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    say('SwiftShader: the npm package carries it for x64 Linux only');
    return false;
  }
  const error = unpackSwiftShader();
  if (error !== undefined) {
    say(`SwiftShader: ${error}`);
    return false;
  }
  found = probeSwiftShader(node);
  if (found.adapter === undefined) say(`SwiftShader: installed, but does not work (${found.why})`);
  else say(`SwiftShader: installed into ${relative(path.dirname(SWIFTSHADER_ICD))}`);
  return found.adapter !== undefined;
}

/** @param {string} node */
function probeSwiftShader(node) {
  if (!fs.existsSync(SWIFTSHADER_ICD)) return { why: 'not installed' };
  addLoader();
  return probe(node, { VK_DRIVER_FILES: SWIFTSHADER_ICD, VK_ICD_FILENAMES: SWIFTSHADER_ICD });
}

/** Fetches the pinned package, unpacks only SwiftShader. @returns {string | undefined} the error */
function unpackSwiftShader() {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'dsmip-setup-'));
  try {
    say(`fetching SwiftShader (npm package @sparticuz/chromium ${CHROMIUM_VERSION}, 70 MB)`);
    const error = npm(['pack', `@sparticuz/chromium@${CHROMIUM_VERSION}`], temporary);
    if (error !== undefined) return `npm pack failed: ${error}`;
    const archive = fs.readdirSync(temporary).find((name) => name.endsWith('.tgz'));
    if (archive === undefined) return 'npm pack left no archive';
    const packed = fs.readFileSync(path.join(temporary, archive));
    if (createHash('sha512').update(packed).digest('base64') !== CHROMIUM_SHA512) {
      return `${archive} is not the file this script was written for (its SHA-512 differs)`;
    }
    const inner = 'package/bin/swiftshader.tar.br';
    untar(gunzipSync(packed), temporary, [inner]);
    const unpacked = path.join(temporary, 'swiftshader');
    fs.mkdirSync(unpacked);
    const names = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];
    untar(brotliDecompressSync(fs.readFileSync(path.join(temporary, inner))), unpacked, names);
    const target = path.dirname(SWIFTSHADER_ICD);
    fs.mkdirSync(target, { recursive: true });
    for (const name of names) fs.copyFileSync(path.join(unpacked, name), path.join(target, name));
    return undefined;
  } catch (error) {
    return String(error instanceof Error ? error.message : error).split('\n')[0];
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

/** @param {Buffer} archive @param {string} directory @param {string[]} names */
function untar(archive, directory, names) {
  execFileSync('tar', ['-x', '-f', '-', '-C', directory, '--no-same-owner', ...names], { input: archive });
}

/** Puts SwiftShader's Vulkan loader beside Dawn's library where the system has none. */
function addLoader() {
  if (hasSystemLoader()) return;
  const target = path.join(webgpuFolder() ?? ROOT, 'dist', `linux-${process.arch}`, 'libvulkan.so.1');
  const source = path.join(path.dirname(SWIFTSHADER_ICD), 'libvulkan.so.1');
  if (fs.existsSync(target) || !fs.existsSync(source)) return;
  fs.copyFileSync(source, target);
  say("no Vulkan loader (libvulkan.so.1): put SwiftShader's beside Dawn's library (Deno needs the system's)");
}

function hasSystemLoader() {
  const folders = [
    '/lib',
    '/usr/lib',
    '/lib64',
    '/usr/lib64',
    '/usr/local/lib',
    ...(process.env.LD_LIBRARY_PATH ?? '').split(':'),
  ];
  for (const triple of ['x86_64-linux-gnu', 'aarch64-linux-gnu'])
    folders.push(`/lib/${triple}`, `/usr/lib/${triple}`);
  return folders.some((folder) => folder !== '' && fs.existsSync(path.join(folder, 'libvulkan.so.1')));
}

// ---- Chromium

/** @returns {string | undefined} the path of a Chromium; DSMIP_CHROMIUM names one that lies elsewhere */
export function findChromium() {
  const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return [process.env.DSMIP_CHROMIUM ?? '', ...usual].find((file) => file !== '' && fs.existsSync(file));
}

/** Installs Debian's Chromium unless there is one. @returns {boolean} */
function addChromium() {
  if (findChromium() === undefined) {
    const apt = findApt('Chromium');
    if (apt === undefined) {
      say('Chromium: install it, and set DSMIP_CHROMIUM to its path where that is not /usr/bin/chromium');
      return false;
    }
    say('installing Chromium by apt, this takes a minute');
    const update = apt.run(['update']);
    if (update !== undefined) return aptFailed('update', update);
    const error = apt.run(['install', '-y', '--no-install-recommends', 'chromium']);
    if (error !== undefined) return aptFailed('install', error);
  }
  const file = findChromium();
  const version = file === undefined ? null : spawnSync(file, ['--version'], { encoding: 'utf8' });
  const works = version?.status === 0;
  say(
    works
      ? `Chromium: ${version.stdout.trim()}`
      : `Chromium: ${file ?? 'installed, but not found'} does not run`,
  );
  return works;
}

// ---- apt

/** @typedef {{ root: boolean, run: (args: string[]) => string | undefined }} Apt `run` returns the error */

/** Finds apt-get and the right to use it. @param {string} what for @returns {Apt | undefined} */
function findApt(what) {
  const release = osRelease();
  const family = [release.ID, ...(release.ID_LIKE ?? '').split(' ')];
  if (!family.includes('debian') && !family.includes('ubuntu')) return undefined;
  const root = process.getuid?.() === 0;
  if (!root && spawnSync('sudo', ['-n', 'true']).status !== 0) {
    say(`${what} by apt needs root or a sudo without password: neither here`);
    return undefined;
  }
  return { root, run: (args) => runAs(root, ['apt-get', ...args]) };
}

/** @param {string} step @param {string} error @returns {false} */
function aptFailed(step, error) {
  say(`apt-get ${step} failed: ${error}`);
  return false;
}

/**
 * Runs a command as root.
 * @param {boolean} root @param {string[]} command @param {string} [input]
 * @returns {string | undefined} the error
 */
function runAs(root, command, input = '') {
  const [file = '', ...args] = root
    ? command
    : ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive', ...command];
  const result = spawnSync(file, args, {
    encoding: 'utf8',
    input,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 900_000,
  });
  if (result.status === 0) return undefined;
  const lines = (result.stderr ?? '').trim().split('\n');
  return result.error?.message ?? lines.find((line) => line.startsWith('E:')) ?? lines.pop() ?? 'no message';
}

/** @returns {Record<string, string>} the fields of /etc/os-release */
function osRelease() {
  const file = '/etc/os-release';
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  return Object.fromEntries(
    Array.from(text.matchAll(/^(\w+)="?(.*?)"?$/gm), (match) => [match[1], match[2]]),
  );
}

// ---- helpers

/**
 * Runs the npm that runs this script, or the one in PATH.
 * @param {string[]} args @param {string} cwd @returns {string | undefined} the error
 */
function npm(args, cwd) {
  const script = process.env.npm_execpath;
  const [file, ...first] = script ? [process.execPath, script] : ['npm'];
  // `npm run --silent` would silence this npm too, and its error with it.
  const env = { ...process.env, npm_config_loglevel: 'error' };
  const result = spawnSync(file ?? 'npm', [...first, ...args], {
    cwd,
    encoding: 'utf8',
    env,
    timeout: 900_000,
  });
  if (result.status === 0) return undefined;
  const lines = (result.stderr ?? '').trim().split('\n');
  const told = lines.find((line) => /^npm (error|ERR!) (?!code|errno|syscall)/.test(line));
  return result.error?.message ?? told ?? lines.pop() ?? 'no message';
}

/** @param {string} file */
function relative(file) {
  return path.relative(ROOT, file);
}

/** @param {string} line */
function say(line) {
  console.log(`setup: ${line}`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  process.exitCode = main(process.argv.slice(2)) ? 0 : 1;
}
