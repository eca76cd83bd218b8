/**
 * Suffixes below which anyone can have a name: registries' own, and hosts of everybody's storage, functions and pages. A
 * wildcard over one of them lets data out to whoever takes a name there. Not complete: those that rules really name.
 */
const sharedSuffixes: ReadonlySet<string> = new Set([
  'ac.uk',
  'amazonaws.com',
  'appspot.com',
  'azure-api.net',
  'azurecr.io',
  'azureedge.net',
  'azurefd.net',
  'azurewebsites.net',
  'blob.core.windows.net',
  'cloudapp.azure.com',
  'cloudapp.net',
  'cloudfront.net',
  'cloudfunctions.net',
  'co.in',
  'co.jp',
  'co.kr',
  'co.nz',
  'co.uk',
  'co.za',
  'com.au',
  'com.br',
  'com.cn',
  'com.mx',
  'com.tr',
  'core.windows.net',
  'database.windows.net',
  'dfs.core.windows.net',
  'digitaloceanspaces.com',
  'documents.azure.com',
  'duckdns.org',
  'file.core.windows.net',
  'firebaseapp.com',
  'firebaseio.com',
  'fly.dev',
  'github.io',
  'gitlab.io',
  'herokuapp.com',
  'lambda-url.us-east-1.on.aws',
  'ne.jp',
  'net.au',
  'netlify.app',
  'ngrok-free.app',
  'ngrok.app',
  'ngrok.io',
  'on.aws',
  'onrender.com',
  'openai.azure.com',
  'or.jp',
  'org.au',
  'org.uk',
  'pages.dev',
  'queue.core.windows.net',
  'r2.cloudflarestorage.com',
  'r2.dev',
  'run.app',
  's3.amazonaws.com',
  'search.windows.net',
  'servicebus.windows.net',
  'sharepoint.com',
  'storage.googleapis.com',
  'supabase.co',
  'table.core.windows.net',
  'trafficmanager.net',
  'trycloudflare.com',
  'vault.azure.net',
  'vercel.app',
  'web.app',
  'web.core.windows.net',
  'windows.net',
  'workers.dev',
])

/** The shared suffix that a pattern `*.suffix` covers whole; undefined for every other pattern. */
export function sharedSuffix(pattern: string): string | undefined {
  if (!pattern.startsWith('*.')) return undefined
  const suffix = pattern.slice(2)
  return sharedSuffixes.has(suffix) || isRegionOfS3(suffix) ? suffix : undefined
}

function isRegionOfS3(suffix: string): boolean {
  return /^s3[.-][a-z0-9-]+\.amazonaws\.com$/.test(suffix)
}
