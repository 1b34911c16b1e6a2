---@brief
---
--- Finds and fixes build-secret leaks in Dockerfiles by following the secret itself, and in the files that build them.
---
--- `buildhush` can be installed with `pipx install buildhush` or `uv tool install buildhush`.
---
--- Of YAML, HCL, JSON and shell files, only those are opened in the server that build images: compose, bake, GitHub
--- workflows, GitLab CI, and scripts and Makefiles with a build command.
---
--- Settings are those of `.buildhush.toml`, with names in camel case. Where another server checks the names of build
--- arguments already, leave that to it:
---
--- ```lua
--- vim.lsp.config('buildhush', {
---   settings = {
---     buildhush = { ignore = { 'secret-in-arg', 'secret-in-env' } },
---   },
--- })
--- ```

local root_markers = { '.buildhush.toml', '.dockerignore', '.git' }

-- Vim regular expressions for the whole path, in lower case.
local files_that_build = {
  [[\v/%(docker-)?compose%([.-].+)?\.ya?ml$]],
  [[\v[.-]%(docker-)?compose\.ya?ml$]],
  [[\v/%(docker-)?bake%([.-].+)?\.%(hcl|json)$]],
  [[\v[.-]%(docker-)?bake\.%(hcl|json)$]],
  [[\v/\.github/workflows/[^/]+\.ya?ml$]],
  [[\v/action\.ya?ml$]],
  [[\v\.gitlab-ci%([.-].+)?\.ya?ml$]],
}
local build_command = vim.regex([[\v<%(docker|podman|buildah|nerdctl)>.*<%(build|bud|bake)>]])
local scripts = { sh = true, bash = true, zsh = true, make = true }

---@param buffer integer
---@return boolean
local function is_of_use(buffer)
  local filetype = vim.bo[buffer].filetype
  if filetype == 'dockerfile' then
    return true
  end
  if scripts[filetype] then
    for _, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, 2000, false)) do
      if build_command:match_str(line) then
        return true
      end
    end
    return false
  end
  local path = vim.fs.normalize(vim.api.nvim_buf_get_name(buffer)):lower()
  for _, pattern in ipairs(files_that_build) do
    if vim.regex(pattern):match_str(path) then
      return true
    end
  end
  return false
end

---@type vim.lsp.Config
return {
  cmd = { 'buildhush', 'lsp' },
  filetypes = {
    'dockerfile',
    'yaml',
    'yaml.docker-compose',
    'yaml.github',
    'yaml.gitlab',
    'hcl',
    'json',
    'sh',
    'bash',
    'zsh',
    'make',
  },
  root_dir = function(buffer, on_dir)
    if is_of_use(buffer) then
      on_dir(vim.fs.root(buffer, root_markers))
    end
  end,
  settings = { buildhush = {} },
}
