{{- define "evalsaga.name" -}}
{{- if contains "evalsaga" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-evalsaga" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "evalsaga.selector" -}}
app.kubernetes.io/name: evalsaga
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "evalsaga.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "evalsaga.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "evalsaga.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "evalsaga.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "evalsaga.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "evalsaga.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "evalsaga.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* The pod of a worker: the same for a Deployment and for the worker controller's WorkerDeployment. */}}
{{- define "evalsaga.workerPod" -}}
metadata:
  labels:
    {{- include "evalsaga.selector" . | nindent 4 }}
    app.kubernetes.io/component: worker
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "evalsaga.serviceAccount" . }}
  automountServiceAccountToken: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- include "evalsaga.podSecurity" . | nindent 4 }}
  # Longer than the worker takes to hand over what it does: 20 s to finish, 60 s to be cut short.
  terminationGracePeriodSeconds: 90
  containers:
    - name: worker
      image: {{ include "evalsaga.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [worker]
      securityContext: {{- include "evalsaga.containerSecurity" . | nindent 8 }}
      env: {{- include "evalsaga.workerEnv" . | nindent 8 }}
      {{- if or .Values.lepton.secretName .Values.results.secretName .Values.extraEnvFrom }}
      envFrom:
        {{- with .Values.lepton.secretName }}
        - secretRef: { name: {{ . | quote }} }
        {{- end }}
        {{- with .Values.results.secretName }}
        - secretRef: { name: {{ . | quote }} }
        {{- end }}
        {{- with .Values.extraEnvFrom }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- end }}
      ports:
        - { name: metrics, containerPort: {{ .Values.metrics.port }} }
      startupProbe:
        httpGet: { path: /readyz, port: metrics }
        periodSeconds: 2
        failureThreshold: 60
      readinessProbe:
        httpGet: { path: /readyz, port: metrics }
        periodSeconds: 10
      livenessProbe:
        httpGet: { path: /healthz, port: metrics }
        periodSeconds: 20
        failureThreshold: 6
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: home, mountPath: /var/lib/evalsaga }
        - { name: tmp, mountPath: /tmp }
        {{- if .Values.secrets.secretName }}
        - { name: secrets, mountPath: /etc/evalsaga/secrets, readOnly: true }
        {{- end }}
        {{- if .Values.encryption.secretName }}
        - { name: encryption, mountPath: /etc/evalsaga/encryption, readOnly: true }
        {{- end }}
        {{- if .Values.temporal.tls.secretName }}
        - { name: temporal-tls, mountPath: /etc/evalsaga/temporal, readOnly: true }
        {{- end }}
        {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - { name: home, emptyDir: {} }
    - { name: tmp, emptyDir: {} }
    {{- with .Values.secrets.secretName }}
    - { name: secrets, secret: { secretName: {{ . | quote }}, defaultMode: 0440 } }
    {{- end }}
    {{- with .Values.encryption.secretName }}
    - { name: encryption, secret: { secretName: {{ . | quote }}, defaultMode: 0440 } }
    {{- end }}
    {{- with .Values.temporal.tls.secretName }}
    - { name: temporal-tls, secret: { secretName: {{ . | quote }}, defaultMode: 0440 } }
    {{- end }}
    {{- with .Values.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "evalsaga.selector" . | nindent 10 }}
          app.kubernetes.io/component: worker
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Secrets are referred to, never copied into the manifest. The worker controller sets address and namespace itself. */}}
{{- define "evalsaga.workerEnv" -}}
{{- if not .Values.workerController.enabled }}
- { name: TEMPORAL_ADDRESS, value: {{ .Values.temporal.address | quote }} }
- { name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }} }
{{- end }}
- { name: EVALSAGA_TASK_QUEUE, value: {{ .Values.temporal.taskQueue | quote }} }
{{- with .Values.maxEndpoints }}
- { name: EVALSAGA_MAX_ENDPOINTS, value: {{ int . | quote }} }
{{- end }}
{{- with .Values.temporal.tls }}
{{- if .secretName }}
- { name: TEMPORAL_TLS, value: 'true' }
- { name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /etc/evalsaga/temporal/tls.crt }
- { name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /etc/evalsaga/temporal/tls.key }
{{- if .ca }}
- { name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /etc/evalsaga/temporal/ca.crt }
{{- end }}
{{- end }}
{{- if .serverName }}
- { name: TEMPORAL_TLS_SERVER_NAME, value: {{ .serverName | quote }} }
{{- end }}
{{- end }}
{{- with .Values.temporal.apiKey }}
{{- if .secretName }}
- name: TEMPORAL_API_KEY
  valueFrom: { secretKeyRef: { name: {{ .secretName | quote }}, key: {{ .key | quote }} } }
{{- end }}
{{- end }}
{{- with .Values.results.store }}
- { name: EVALSAGA_RESULTS_STORE, value: {{ . | quote }} }
{{- end }}
{{- if .Values.secrets.secretName }}
- { name: EVALSAGA_SECRETS_DIR, value: /etc/evalsaga/secrets }
{{- end }}
{{- if .Values.encryption.secretName }}
- { name: EVALSAGA_ENCRYPTION_KEY_FILE, value: {{ printf "/etc/evalsaga/encryption/%s" .Values.encryption.key | quote }} }
{{- end }}
- { name: EVALSAGA_METRICS_ADDRESS, value: {{ printf "0.0.0.0:%v" .Values.metrics.port | quote }} }
- { name: EVALSAGA_LOG_FORMAT, value: json }
- { name: EVALSAGA_LOG_LEVEL, value: {{ .Values.logLevel | quote }} }
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
